{#-
A table of trips by file month. A build replaces its months and neither reads nor writes the others. Readers see the old
month or the new one.
-#}

{#-
PostgreSQL: one partition for each month. A new month is a table of its own until it is attached: only CREATE TABLE AS
uses several processes, and without a write-ahead log if the server needs none. An old month is deleted and filled again,
so that readers do not wait. Months are built one after the other, so that no sort is larger than a month's.
-#}
{% materialization monthly, adapter='postgres' %}
    {%- set table = this.incorporate(type='table') -%}
    {%- set there = load_cached_relation(this) -%}
    {%- set anew = there is none or should_full_refresh() or has_to_be_rebuilt(there) -%}

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
    {%- set replaces_all = should_full_refresh() or (anew and there is not none) -%}
    {%- set months = loaded_months() if replaces_all or not months() else months() -%}
    {%- set built = namespace(rows=0, unique=none) -%}
    {%- for month in months -%}
        {%- set built.rows = built.rows + build_month(month) -%}
    {%- endfor -%}
    {%- if months | length == 1 and model.keys_are_unique -%}
        {%- set others = "xmin <> '" ~ run_query('select pg_current_xact_id()::xid').columns[0][0] ~ "'" -%}
        {%- set built.unique = {'rows': built.rows, 'others': others} -%}
    {%- endif -%}
    {%- call noop_statement('main', 'INSERT ' ~ built.rows, 'INSERT', built.rows) -%}{%- endcall -%}
    {%- do persist_docs(table, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {%- do model.update({'month': none}) -%}
    {%- if 'trip_key' in model.columns and flags.WHICH == 'build' -%}
        {%- do count_for_tests(built.unique) -%}
    {%- endif -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [table]}) }}
{% endmaterialization %}

{#- Make one month what the model's query says; returns how many rows that is. -#}
{% macro build_month(month) %}
    {%- do model.update({'month': month}) -%}
    {%- set partition = table_of_month() -%}
    {%- set is_new = run_query("select to_regclass('" ~ partition.include(database=False) ~ "')").columns[0][0] is none -%}
    {%- set value = "date '" ~ month ~ "-01'" -%}
    {#- When this transaction began. What is loaded later may not be in the rows. -#}
    {%- set at = run_query("select to_char(now() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')").columns[0][0] -%}
    {%- call statement('fill') -%}
        {% if is_new -%}
            {#- Without a log, the commit waits until the table is on the disk; so write it there while it is made. -#}
            set local backend_flush_after = '2MB';
            {#- The default price of passing a row from one process to another would keep a large month in one process. -#}
            set local parallel_tuple_cost = 0;
            create table {{ partition }} as
        {%- else -%}
            delete from {{ partition }};
            insert into {{ partition }} ({{ get_quoted_csv(model.columns.keys() | list) }})
        {%- endif %}
        {{ rows_of_month() }}
    {%- endcall -%}
    {%- set rows = load_result('fill').response.rows_affected -%}
    {%- if 'trip_key' in model.columns -%}
        {%- do model.update({'keys_are_unique': number_shared_keys(partition)}) -%}
    {%- endif -%}
    {%- call statement('finish') -%}
        {% if is_new -%}
            {#- What the table requires, in one scan; ATTACH would need one for each. -#}
            alter table {{ partition }}
                {% for column in required_columns() -%}
                    alter column {{ column }} set not null,
                {% endfor -%}
                add check (file_month = {{ value }});
            alter table {{ this }} attach partition {{ partition }} for values in ({{ value }});
        {%- endif %}
        {#- Reports keep what they have counted of a build, and compare its time with that of the loads. -#}
        comment on table {{ partition }} is 'Built by dbt invocation {{ invocation_id }} at {{ at }}.';
        {#- A tenth of the usual sample, which takes as much less time; the server's own analysis follows soon. -#}
        set local default_statistics_target = 10;
        analyze {{ partition }}
    {%- endcall -%}
    {{ return(rows) }}
{% endmacro %}

{#- The query for the month that is being built. The model's code is rendered for it, as dbt's own microbatches do it. -#}
{% macro rows_of_month() %}
    {#- The month is known, and dear to compute from the name of each trip's file. -#}
    {%- set known_month = "date '" ~ model.month ~ "-01' as file_month" -%}
    select {{ get_quoted_csv(model.columns.keys() | list) | replace('"file_month"', known_month) }}
    from ({{ render(model.raw_code) }}) as built
{% endmacro %}

{#- The partition of the month that is being built, or a table that only its build needs. -#}
{% macro table_of_month(suffix='') %}
    {%- set name = [this.identifier, model.month | replace('-', '_'), suffix] | select | join('_') -%}
    {{ return(api.Relation.create(database=this.database, schema=this.schema, identifier=name)) }}
{% endmacro %}

{#- The columns that are never empty in the table. -#}
{% macro required_columns() %}
    {%- set found = run_query(
        "select attname from pg_attribute where attrelid = '" ~ this ~ "'::regclass and attnotnull and attnum > 0"
    ) -%}
    {{ return(found.columns[0].values() | list) }}
{% endmacro %}

{#- The months that are loaded, and those that have a partition: a month that is no longer loaded becomes empty. -#}
{% macro loaded_months() %}
    {%- set found = run_query(
        "select left(right(filename, 11), 7) from " ~ source('trips', 'tripdata_files') ~ " union "
        "select replace(right(relname, 7), '_', '-') from pg_class inner join pg_inherits on oid = inhrelid "
        "where inhparent = '" ~ this ~ "'::regclass order by 1"
    ) -%}
    {{ return(found.columns[0].values() | list) }}
{% endmacro %}

{#-
BigQuery: one transaction replaces the months of the build without reading their old rows, which a MERGE is billed for.
Where the columns have changed or a full refresh is asked for, one statement makes the table with all loaded months. So
nobody reads a table that lacks months. Only one build at a time runs in a dataset (see models/targets.py), because if
two transactions change the same table, one of them fails.
-#}
{% materialization monthly, adapter='bigquery' %}
    {%- set table = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set columns = get_quoted_csv(model.columns.keys() | list) -%}
    {{ run_hooks(pre_hooks) }}
    {%- if existing is none and not should_full_refresh() -%}
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
            begin transaction;
            delete from {{ this }} where {{ of_whole_months() }};
            insert into {{ this }} ({{ columns }})
            select {{ columns }} from ({{ sql }}) as built;
            commit transaction
        {%- endcall -%}
    {%- endif -%}
    {%- if 'trip_key' in model.columns and flags.WHICH == 'build' -%}
        {%- do count_for_tests() -%}
    {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {%- do persist_docs(table, model) -%}
    {{ return({'relations': [table]}) }}
{% endmaterialization %}
