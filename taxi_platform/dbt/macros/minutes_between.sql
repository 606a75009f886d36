{#- The minutes from one moment to another, with their fractions; negative when the second comes first. -#}
{% macro minutes_between(first, second) %}
    {{- adapter.dispatch('minutes_between')(first, second) -}}
{% endmacro %}

{% macro postgres__minutes_between(first, second) %}
    {{- "(date_part('epoch', " ~ second ~ ") - date_part('epoch', " ~ first ~ ")) / 60" -}}
{% endmacro %}

{% macro bigquery__minutes_between(first, second) %}
    {{- 'timestamp_diff(' ~ second ~ ', ' ~ first ~ ', second) / 60' -}}
{% endmacro %}
