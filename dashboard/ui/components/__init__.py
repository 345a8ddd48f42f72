"""The component set. Pages write `from dashboard.ui import components as ui` and then `ui.card(…)`."""

from dashboard.ui.components.badges import Status, badge, count_badge, status_badge
from dashboard.ui.components.basics import (
    external_link,
    grid,
    icon,
    inline,
    link,
    muted,
    plain_link,
    screen_reader_only,
    stack,
    when_any,
)
from dashboard.ui.components.buttons import (
    button,
    copy_button,
    download_button,
    external_button,
    icon_button,
    link_button,
    spinner,
    submit_button,
)
from dashboard.ui.components.cards import card, danger_card, stat_card
from dashboard.ui.components.dialogs import close_dialog, confirm_dialog, dialog, open_dialog
from dashboard.ui.components.feedback import (
    callout,
    empty_state,
    form_error,
    load_error,
    progress,
    skeleton,
    skeleton_card,
    toast_error,
    toast_success,
)
from dashboard.ui.components.forms import (
    Option,
    RadioCard,
    checkbox_field,
    field,
    form,
    form_actions,
    native_form,
    radio_cards,
    read_only_field,
    select_field,
    switch_field,
    text_field,
    textarea_field,
)
from dashboard.ui.components.headers import environment_badge, page_header, section_header
from dashboard.ui.components.lists import definition_list, timeline
from dashboard.ui.components.navigation import (
    dropdown_menu,
    filter_select,
    menu_button,
    menu_link,
    search_box,
    stepper,
    tabs,
    toolbar,
)
from dashboard.ui.components.tables import Column, cell, data_table, list_table, pager, row, row_link
from dashboard.ui.components.values import code, code_block, date_time, exact_time, identifier, money, secret

__all__ = [
    "Column", "Option", "RadioCard", "Status", "badge", "button", "callout", "card", "cell", "checkbox_field",
    "close_dialog", "code", "code_block", "confirm_dialog", "copy_button", "count_badge", "danger_card",
    "data_table", "date_time", "definition_list", "dialog", "download_button", "dropdown_menu", "empty_state",
    "environment_badge", "exact_time", "external_button", "external_link", "field", "filter_select", "form",
    "form_actions", "form_error", "grid", "icon", "icon_button", "identifier", "inline", "link", "link_button",
    "list_table", "load_error", "menu_button", "menu_link", "money", "muted", "native_form", "open_dialog",
    "page_header", "pager", "plain_link", "progress", "radio_cards", "read_only_field", "row", "row_link",
    "screen_reader_only", "search_box", "secret", "section_header", "select_field", "skeleton", "skeleton_card",
    "spinner", "stack", "stat_card", "status_badge", "stepper", "submit_button", "switch_field", "tabs", "text_field",
    "textarea_field", "timeline", "toast_error", "toast_success", "toolbar", "when_any",
]  # fmt: skip
