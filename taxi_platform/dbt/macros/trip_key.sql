{#-
A trip's key: its file, the course's identifier, and a number for those that share it, as two trips may: the course
puts no separator between the values that it hashes. The number does not depend on where the rows lie: those that are
equal in the further columns too are the same row twice.
-#}
{% macro trip_key(further_columns) %}
    {%- set number -%}
        row_number() over (partition by {{ same_id() }} order by {{ further_columns | join(', ') }})
    {%- endset -%}
    {{- dbt.hash(dbt.concat(['filename', 'unique_row_id', 'cast(' ~ number ~ ' as ' ~ type_string() ~ ')'])) -}}
{% endmacro %}

{#- What rows of one file with one identifier have in common, and what is cheap to sort by. -#}
{% macro same_id() %}
    {{- adapter.dispatch('same_id')() -}}
{% endmacro %}

{#- Eight bytes in place of two texts: half of the time. Strangers who share them would only be numbered together. -#}
{% macro postgres__same_id() %}hashtextextended(filename || unique_row_id, 0){% endmacro %}

{% macro bigquery__same_id() %}filename, unique_row_id{% endmacro %}

{#-
The course's identifier of a trip, as the trips' tables have it. PostgreSQL would compute its column each time that it
is read, by an expression fit for a generated column, which takes four times as long as this one; they are the same.
-#}
{% macro unique_row_id(columns) %}
    {{- adapter.dispatch('unique_row_id')(columns) -}}
{% endmacro %}

{% macro postgres__unique_row_id(columns) %}md5(concat({{ columns | join(', ') }})){% endmacro %}

{% macro bigquery__unique_row_id(columns) %}unique_row_id{% endmacro %}

{#- The type of an amount of money, as the trips' tables have it. -#}
{% macro amount() %}{{ 'numeric' if target.type == 'bigquery' else 'double precision' }}{% endmacro %}
