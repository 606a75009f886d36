{#-
What a dimension says of each trip. A model names its dimensions by their aliases:
{'zones': {'table': ref('dim_zones'), 'key': 'location_id', 'number': 'trips.zone'}}
-#}

{#- Join each of these dimensions by its number, as the files write it. -#}
{% macro join_dimensions(dimensions) %}
    {%- if not are_inlined() -%}
        {%- for alias, dimension in dimensions.items() %}
left join {{ dimension.table }} as {{ alias }}
    on cast({{ dimension.number }} as {{ type_string() }}) = cast({{ alias }}.{{ dimension.key }} as {{ type_string() }})
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}

{#- A column of a dimension, or a constant for trips with a number that the dimension does not have. -#}
{% macro value_of(dimensions, alias, column, otherwise) %}
    {%- set dimension = dimensions[alias] -%}
    {%- if not are_inlined() -%}
        coalesce({{ alias }}.{{ column }}, {{ otherwise }})
    {%- else -%}
        {%- set found = run_query('select cast(' ~ dimension.key ~ ' as text), ' ~ column ~ ' from ' ~ dimension.table) -%}
        {%- if column == dimension.key -%}
            case
                when {{ dimension.number }} in ('{{ found.columns[0].values() | join("', '") }}')
                    then cast({{ dimension.number }} as integer)
                else {{ otherwise }}
            end
        {%- else -%}
            case {{ dimension.number }}
                {%- for number, text in found.rows if text is not none %}
                when '{{ number }}' then '{{ text | replace("'", "''") }}'
                {%- endfor %}
                else {{ otherwise }}
            end
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{#-
Whether the few rows of the dimensions are written into the statement: PostgreSQL builds a month a fifth sooner than with
a join for each, which passes on all columns of every trip.
-#}
{% macro are_inlined() %}
    {{ return(target.type == 'postgres' and model.month is defined) }}
{% endmacro %}
