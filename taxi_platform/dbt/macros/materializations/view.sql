{#-
Replace views in place. dbt-postgres swaps them, which drops the old view and every view that depends on it, so a run of
one model would remove the others.
-#}
{% materialization view, adapter='postgres' %}
    {%- set view = this.incorporate(type='view') -%}
    {%- set there = load_cached_relation(this) -%}
    {%- if there is not none and there.is_view and has_other_columns(there) -%}
        {%- do adapter.drop_relation(there) -%}
    {%- endif -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- call statement('main') -%}
        {{ get_create_view_as_sql(view, sql) }}
    {%- endcall -%}
    {%- do persist_docs(view, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [view]}) }}
{% endmaterialization %}

{% macro postgres__create_view_as(relation, sql) %}
    {%- if config.get('contract').enforced -%}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif -%}
    create or replace view {{ relation }} as (
    {{ sql }}
    );
{% endmacro %}

{#- Whether a table or view of ours was made for other columns than the model has now. -#}
{% macro has_other_columns(relation) %}
    {%- set there = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
    {{ return(there != model.columns.keys() | list) }}
{% endmacro %}

{#-
Columns that the published files have got since version 0.1. A table of trips that lacks them gets them without a
rebuild, because they are empty in every month that it has.
-#}
{% macro later_columns() %}
    {{ return(['airport_fee', 'cbd_congestion_fee', 'request_source']) }}
{% endmacro %}

{#- Whether a table has to be made again: it has other columns than the model has, later ones and their order aside. -#}
{% macro has_to_be_rebuilt(relation) %}
    {%- set there = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
    {%- set wanted = model.columns.keys() | list -%}
    {%- set first = wanted | reject('in', later_columns()) | list -%}
    {{ return(there | reject('in', later_columns()) | list != first or there | reject('in', wanted) | list != []) }}
{% endmacro %}

{#- Add the later columns that a table lacks. -#}
{% macro add_later_columns(relation) %}
    {%- set there = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
    {%- for name, column in model.columns.items() if name not in there -%}
        {%- call statement('add ' ~ name) -%}
            alter table {{ relation }} add column {{ name }} {{ column.data_type }}
        {%- endcall -%}
    {%- endfor -%}
{% endmacro %}
