{#- What a statement is for: its run, its months and its model. On BigQuery these are the labels of its job. -#}
{% macro job_labels(node) %}
    {%- set named = env_var('TAXI_DBT_MONTHS', '') -%}
    {%- set months = named.split(',') if named else var('months', []) -%}
    {%- set labels = {'app': 'taxi_platform', 'service': 'models', 'run': env_var('TAXI_DBT_RUN', 'manual')} -%}
    {%- if months -%}
        {%- do labels.update({'month': months[0] if months | length == 1 else months[0] ~ '_' ~ months[-1]}) -%}
    {%- endif -%}
    {%- if node -%}
        {%- do labels.update({'model': node.name}) -%}
    {%- endif -%}
    {{- return(tojson(labels)) -}}
{% endmacro %}
