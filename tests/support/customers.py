"""Customers as a clerk would open them."""

from typing import Any


def wang(**more: Any) -> dict[str, Any]:
    """A file with everything the policies ask for at the first contact; `more` adds or replaces."""
    return {
        "name": "王芳",
        "company": "华东精密仪器有限公司",
        "phone": "13800138000",
        "needs": "校准服务",
        "lawfulBasis": "contract",
        **more,
    }
