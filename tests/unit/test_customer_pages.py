"""A printed page: the same bytes for the same content, and whatever was typed can be printed."""

import io

import pypdf

from services.customer.views.pages import Listed, page


def test_a_page_prints_whatever_was_typed_and_is_the_same_each_time() -> None:
    rows = [("姓名 Name", "<b>王\x00芳</b> & Söhne 𠮷"), ("住址 Address", "很长的地址" * 60)]
    table = Listed("联系人 Contacts", ("姓名 Name", "电话 Phone"), [("李敏", "13900139000")] * 80)
    made = page("客户关系卡 Customer card", rows, [table, Listed("订单 Orders", ("日期",), [])], "C-000001")
    assert made == page("客户关系卡 Customer card", rows, [table, Listed("订单 Orders", ("日期",), [])], "C-000001")
    pages = pypdf.PdfReader(io.BytesIO(made)).pages
    text = "".join(one.extract_text() for one in pages).replace("\n", "")
    assert len(pages) > 1
    assert "<b>王 芳</b> & S" in text
    assert text.count("很长的地址") == 60
    assert text.count("李敏") == 80
    assert "订单" not in text
