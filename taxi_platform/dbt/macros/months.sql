{#- Which months are built, and how a query is kept to them. -#}

{#-
The months of a build, or the one that is being built. An empty list means all months. Dagster names them in a variable
of the environment, which is not read while models are parsed: dbt would parse all of them again for other months.
-#}
{% macro months() %}
    {%- set named = env_var('TAXI_DBT_MONTHS', '') if execute else '' -%}
    {%- for month in var('months') if not modules.re.fullmatch('[0-9]{4}-(0[1-9]|1[0-2])', month | string) -%}
        {%- set example = 'a list of months such as [2019-03, 2019-04]' -%}
        {{- exceptions.raise_compiler_error("months: '" ~ var('months') ~ "' is not " ~ example) -}}
    {%- endfor -%}
    {{- return([] if model.every_month else [model.month] if model.month else named.split(',') if named else var('months')) -}}
{% endmacro %}

{#- A condition for what has a file_month of its own. For all months, BigQuery may require one too. -#}
{% macro of_months() %}
    {%- if not months() -%}
        {{- 'file_month is not null' if target.type == 'bigquery' else 'true' -}}
    {%- else -%}
        file_month in (
        {%- for month in months() -%}
            cast('{{ month }}-01' as date){{ '' if loop.last else ', ' }}
        {%- endfor -%}
        )
    {%- endif -%}
{% endmacro %}

{#- The same for a statement that deletes. BigQuery drops a partition unread where a condition covers all of it. -#}
{% macro of_whole_months() %}
    {%- if not months() -%}{{- of_months() -}}{%- endif -%}
    {%- for month in months() -%}
        {%- set number = month[:4] | int * 12 + month[5:] | int -%}
        {%- set next = '%04d-%02d' | format(number // 12, number % 12 + 1) -%}
        (file_month >= date '{{ month }}-01' and file_month < date '{{ next }}-01'){{ '' if loop.last else ' or ' }}
    {%- endfor -%}
{% endmacro %}

{#- The same for what is made of the trips of these services. -#}
{% macro of_files(services) %}
    {{- adapter.dispatch('of_files')(services) -}}
{% endmacro %}

{#- By the names of the files, by which the tables are partitioned: no other month is read. -#}
{% macro postgres__of_files(services) %}
    {%- if not months() -%}true
    {%- else -%}
        filename in (
        {%- for service in services -%}
            {%- set is_last = loop.last -%}
            {%- for month in months() -%}
                '{{ service }}_tripdata_{{ month }}.csv'{{ '' if is_last and loop.last else ', ' }}
            {%- endfor -%}
        {%- endfor -%}
        )
    {%- endif -%}
{% endmacro %}

{% macro bigquery__of_files(services) %}
    {{- of_months() -}}
{% endmacro %}

{#- The first day of a row's month, which its file's name ends with: green_tripdata_2019-03.csv. -#}
{% macro file_month() %}
    {{- adapter.dispatch('file_month')() -}}
{% endmacro %}

{% macro postgres__file_month() %}to_date(left(right(filename, 11), 7), 'YYYY-MM'){% endmacro %}

{% macro bigquery__file_month() %}file_month{% endmacro %}

{#- The name of a row's file. BigQuery makes it of the month, which costs less than to read it: 8 bytes and not 29. -#}
{% macro file_name(service) %}
    {{- adapter.dispatch('file_name')(service) -}}
{% endmacro %}

{% macro postgres__file_name(service) %}filename{% endmacro %}

{% macro bigquery__file_name(service) -%}
    concat({{ service }}, '_tripdata_', format_date('%Y-%m', file_month), '.csv')
{%- endmacro %}

{#- Tests, too, read only the months of the build: `where` has placeholders, because it cannot call a macro. -#}
{% macro get_where_subquery(relation) %}
    {%- set where = config.get('where') -%}
    {%- if not where -%}
        {{ return(relation) }}
    {%- endif -%}
    {%- set where = where
        | replace('__of_months__', of_months())
        | replace('__of_taxi_files__', of_files(['green', 'yellow']))
        | replace('__of_fhv_files__', of_files(['fhv'])) -%}
    {{ return('(select * from ' ~ relation ~ ' where ' ~ where ~ ') dbt_subquery') }}
{% endmacro %}
