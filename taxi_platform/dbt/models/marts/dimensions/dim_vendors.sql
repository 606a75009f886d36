-- Who sends the records in, and one vendor for the trips that name none, or one that nobody knows.

select
    vendor_id,
    vendor_name
from {{ ref('vendors') }}
