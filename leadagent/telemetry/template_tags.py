"""`{% reference %}`: the id of the request, for a person to quote; built into every template.

A tag, because the pages for 400 and 500 are drawn without any context.
"""

from django import template

from leadagent.telemetry.context import current_request_id

register = template.Library()
register.simple_tag(current_request_id, name="reference")
