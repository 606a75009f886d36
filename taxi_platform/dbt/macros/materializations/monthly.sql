{#-
A table of trips by file month. A month that is built takes the place of what there was of it, whatever its rows are
like; the other months are neither read nor written. Whoever reads the table sees the old month or the new one.
-#}

{#-
PostgreSQL: one partition a month. A new month is filled before it is attached, an old one is deleted and filled again;
nobody who reads has to wait for it. Months are built one after the other, so that no sort is larger than a month's.
-#}
{% materialization monthly, adapter='postgres' %}
    {%- set table = this.incorporate(type='table') -%}
    {%- set there = load_cached_relation(this) -%}
    {%- set anew = there is none or should_full_refresh() or has_other_columns(there) -%}
    {%- set months = loaded_months() if anew and there is not none or not var('months') else var('months') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- do get_assert_columns_equivalent(sql) -%}
    {%- if anew -%}
        {%- call statement('create') -%}
            drop table if exists {{ this }} cascade;
            create table {{ this }} {{ get_table_columns_and_constraints() }} partition by list (file_month);
        {%- endcall -%}
    {%- endif -%}
    {%- set rows = namespace(built=0) -%}
    {%- for month in months -%}
        {#- As dbt's own microbatches do it: the model's code is rendered for the batch. -#}
        {%- do model.update({'month': month}) -%}
        {%- set rows.built = rows.built + build_month(month, render(model.raw_code)) -%}
    {%- endfor -%}
    {%- if not var('months') and not anew -%}
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

{#- BigQuery: one statement replaces the partitions of these months, all at once or not at all. -#}
{% materialization monthly, adapter='bigquery' %}
    {%- set table = this.incorporate(type='table') -%}
    {%- set there = load_cached_relation(this) -%}
    {%- set columns = get_quoted_csv(model.columns.keys() | list) -%}
    {{ run_hooks(pre_hooks) }}
    {%- if config.get('contract').enforced -%}
        {%- do get_assert_columns_equivalent(sql) -%}
    {%- endif -%}
    {%- if there is none or should_full_refresh() or has_other_columns(there) -%}
        {%- call statement('create') -%}
            {{ create_table_as(False, this, 'select * from (' ~ sql ~ ') where false') }}
        {%- endcall -%}
    {%- endif -%}
    {%- call statement('main') -%}
        merge into {{ this }} as there
        using (
            {{ sql }}
        ) as built
        on false
        when not matched by source and {{ of_months() }} then delete
        when not matched by target then insert ({{ columns }}) values ({{ columns }})
    {%- endcall -%}
    {{ run_hooks(post_hooks) }}
    {%- do persist_docs(table, model) -%}
    {{ return({'relations': [table]}) }}
{% endmaterialization %}
