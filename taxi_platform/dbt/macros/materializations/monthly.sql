{#-
A table of trips by file month. A build replaces its months and neither reads nor writes the others. Readers see the old
month or the new one.
-#}

{#-
PostgreSQL: one partition for each month. A new month is filled before it is attached; an old one is deleted and filled
again, and readers do not wait. Months are built one after the other, so that no sort is larger than a month's.
-#}
{% materialization monthly, adapter='postgres' %}
    {%- set table = this.incorporate(type='table') -%}
    {%- set there = load_cached_relation(this) -%}
    {%- set anew = there is none or should_full_refresh() or has_to_be_rebuilt(there) -%}
    {%- set named = months() -%}
    {%- set months = loaded_months() if anew and there is not none or not named else named -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- do get_assert_columns_equivalent(sql) -%}
    {%- if anew -%}
        {%- call statement('create') -%}
            drop table if exists {{ this }} cascade;
            create table {{ this }} {{ get_table_columns_and_constraints() }} partition by list (file_month);
        {%- endcall -%}
    {%- else -%}
        {%- do add_later_columns(there) -%}
    {%- endif -%}
    {%- set rows = namespace(built=0) -%}
    {%- for month in months -%}
        {#- As dbt's own microbatches do it: the model's code is rendered for the batch. -#}
        {%- do model.update({'month': month}) -%}
        {%- set rows.built = rows.built + build_month(month, render(model.raw_code)) -%}
    {%- endfor -%}
    {%- if not named and not anew -%}
        {%- call statement('gone') -%}
            delete from {{ this }}
            where to_char(file_month, 'YYYY-MM') <> all (array[{{ "'" ~ months | join("', '") ~ "'" }}])
        {%- endcall -%}
    {%- endif -%}
    {%- call noop_statement('main', 'INSERT ' ~ rows.built, 'INSERT', rows.built) -%}{%- endcall -%}
    {%- do persist_docs(table, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [table]}) }}
{% endmaterialization %}

{#- Make one month what the query says; returns how many rows that is. -#}
{% macro build_month(month, sql) %}
    {%- set name = this.identifier ~ '_' ~ month | replace('-', '_') -%}
    {%- set partition = api.Relation.create(database=this.database, schema=this.schema, identifier=name) -%}
    {%- set value = "date '" ~ month ~ "-01'" -%}
    {%- set columns = get_quoted_csv(model.columns.keys() | list) -%}
    {%- set is_new = run_query("select to_regclass('" ~ partition.include(database=False) ~ "')").columns[0][0] is none -%}
    {%- call statement('room') -%}
        {% if is_new -%}
            create table {{ partition }} (like {{ this }} including all, check (file_month = {{ value }}))
        {%- else -%}
            delete from {{ partition }}
        {%- endif %}
    {%- endcall -%}
    {%- call statement('fill') -%}
        insert into {{ partition }} ({{ columns }}) select {{ columns }} from ({{ sql }}) as built
    {%- endcall -%}
    {%- call statement('finish') -%}
        analyze {{ partition }};
        {% if is_new -%}
            alter table {{ this }} attach partition {{ partition }} for values in ({{ value }})
        {%- endif %}
    {%- endcall -%}
    {{ return(load_result('fill').response.rows_affected) }}
{% endmacro %}

{#- The months of which anything is loaded. -#}
{% macro loaded_months() %}
    {%- set found = run_query(
        "select distinct left(right(filename, 11), 7) from " ~ source('trips', 'tripdata_files') ~ " order by 1"
    ) -%}
    {{ return(found.columns[0].values() | list) }}
{% endmacro %}

{#-
BigQuery: one statement either replaces the months of the build, or makes the table with all loaded months where its
columns have changed or a full refresh is asked for; so nobody reads a table that lacks months. Only one build at a time
works in a dataset (see models/targets.py), because two statements that only insert would both succeed.
-#}
{% materialization monthly, adapter='bigquery' %}
    {%- set table = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set columns = get_quoted_csv(model.columns.keys() | list) -%}
    {{ run_hooks(pre_hooks) }}
    {%- if existing is none -%}
        {%- call statement('main') -%}{{ create_table_as(False, this, sql) }}{%- endcall -%}
    {%- elif should_full_refresh() or has_to_be_rebuilt(existing) -%}
        {%- do model.update({'every_month': true}) -%}
        {%- call statement('main') -%}{{ create_table_as(False, this, render(model.raw_code)) }}{%- endcall -%}
        {%- do model.update({'every_month': false}) -%}
    {%- else -%}
        {%- do add_later_columns(existing) -%}
        {%- if config.get('contract').enforced -%}
            {%- do get_assert_columns_equivalent(sql) -%}
        {%- endif -%}
        {%- call statement('main') -%}
            merge into {{ this }} as existing
            using (
                {{ sql }}
            ) as built
            on false
            when not matched by source and {{ of_months() }} then delete
            when not matched by target then insert ({{ columns }}) values ({{ columns }})
        {%- endcall -%}
    {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {%- do persist_docs(table, model) -%}
    {{ return({'relations': [table]}) }}
{% endmaterialization %}
