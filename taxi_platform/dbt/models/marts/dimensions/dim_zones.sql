-- The TLC's taxi zones, and one for trips without a zone or with a number that the lookup does not know.

select
    -1 as location_id,
    'Unknown' as borough,
    'Unknown' as zone,
    'Unknown' as service_zone
union all
select
    cast(locationid as integer) as location_id,
    borough,
    zone,
    service_zone
from {{ source('trips', 'taxi_zone_lookup') }}
