{#- Which months are built, and how a model is kept to them. -#}

{% macro of_file_months(services) %}
    {{- return(adapter.dispatch('of_file_months')(services)) -}}
{% endmacro %}

{#- By the names of the files: the trips' tables are partitioned by them, so that other months are not read. -#}
{% macro postgres__of_file_months(services) %}
    {%- if not var('months') -%}true
    {%- else -%}
        filename in (
        {%- for service in services -%}
            {%- set outer = loop -%}
            {%- for month in var('months') -%}
                '{{ service }}_tripdata_{{ month }}.csv'{{ '' if outer.last and loop.last else ', ' }}
            {%- endfor -%}
        {%- endfor -%}
        )
    {%- endif -%}
{% endmacro %}

{% macro bigquery__of_file_months(services) %}
    {{- of_months() -}}
{% endmacro %}

{% macro of_months() %}
    {%- if not var('months') -%}true
    {%- else -%}
        file_month in (
        {%- for month in var('months') -%}
            cast('{{ month }}-01' as date){{ '' if loop.last else ', ' }}
        {%- endfor -%}
        )
    {%- endif -%}
{% endmacro %}

{% macro file_month() %}
    {{- return(adapter.dispatch('file_month')()) -}}
{% endmacro %}

{#- The first day of the month that the file's name ends with: green_tripdata_2019-03.csv. -#}
{% macro postgres__file_month() %}to_date(left(right(filename, 11), 7), 'YYYY-MM'){% endmacro %}

{% macro bigquery__file_month() %}file_month{% endmacro %}
