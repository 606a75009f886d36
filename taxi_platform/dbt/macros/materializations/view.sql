{#-
Views are replaced and not exchanged: dbt-postgres would drop the old one with all that is built upon it, so that a run
of one model would take the others away.
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
