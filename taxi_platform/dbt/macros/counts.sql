{#-
What the tests of a table of trips count: in one scan at the end of its build. The tests of the same invocation of dbt find
it in `graph`, which all nodes share. A test that is run without a build counts for itself.
-#}

{#-
Count the trips of the build's months by file, and those whose numbers are not keys of their dimension. `unique` is
what the build knows of its keys: how many rows with different keys it has written, and the condition for other rows.
-#}
{% macro count_for_tests(unique=none) %}
    {%- set service = "'" ~ this.identifier.split('_')[1] ~ "'" if 'service' not in model.columns else 'service' -%}
    {%- set counted -%}
        select
            {{ service }} as service,
            file_month,
            {{ file_name(service) }} as filename,
            {{ 'sum(total_amount)' if 'total_amount' in model.columns else 'null' }} as total_amount,
            {%- for test in graph.nodes.values()
                if test.attached_node == model.unique_id and test.test_metadata.name == 'relationships' %}
            {%- set own = test.test_metadata.kwargs %}
            {%- set keys = keys_of(render('{{ ' ~ own.to ~ ' }}'), own.field) %}
            count(case when {{ own.column_name }} not in ({{ keys }}) then 1 end) as {{ own.column_name }},
            {%- endfor %}
            {{ 'count(case when ' ~ unique.others ~ ' then 1 end)' if unique else 'count(*)' }} as others,
            count(*) as trips
        from {{ this }}
        where {{ of_months() }}
        group by 1, 2, 3
    {%- endset -%}
    {%- set rows = run_query(counted).rows -%}
    {%- set are_unique = unique and rows | sum(attribute='trips') == unique.rows and rows | sum(attribute='others') == 0 -%}
    {%- do graph.update({this.identifier ~ invocation_id: {'rows': rows, 'keys_are_unique': are_unique}}) -%}
{% endmacro %}

{#- What this invocation has counted of a table, by default the one that is tested; an empty answer if it has not. -#}
{% macro counted(table=none) %}
    {%- set table = table or graph.nodes[model.attached_node].alias if execute -%}
    {{ return(graph.get(table ~ invocation_id, {})) }}
{% endmacro %}

{#- The counted rows as a subquery. -#}
{% macro as_subquery(rows) %}
    (
    {%- for row in rows %}
        select
            '{{ row.service }}' as service,
            '{{ row.filename }}' as filename,
            cast('{{ row.file_month }}' as date) as file_month,
            {{ row.trips }} as trips,
            cast({{ row.total_amount if row.total_amount is not none else 'null' }} as {{ amount() }}) as total_amount
        {{- ' union all' if not loop.last }}
    {%- endfor %}
    )
{% endmacro %}

{#- The keys of a dimension, to compare a number or a text with. PostgreSQL does so faster with a list of them. -#}
{% macro keys_of(table, key) %}
    {%- if target.type == 'postgres' and execute and flags.INTROSPECT -%}
        '{{ run_query('select ' ~ key ~ ' from ' ~ table).columns[0].values() | join("', '") }}'
    {%- else -%}
        select {{ key }} from {{ table }}
    {%- endif -%}
{% endmacro %}

{#- dbt's test of foreign keys. It reads nothing if the build has counted no row whose key the dimension lacks. -#}
{% macro default__test_relationships(model, column_name, to, field) %}
    {%- set rows = counted().rows -%}
    {%- if rows and rows | sum(attribute=column_name) == 0 -%}
        select 1 as from_field limit 0
    {%- else -%}
        {{ dbt.default__test_relationships(model, column_name, to, field) }}
    {%- endif -%}
{% endmacro %}
