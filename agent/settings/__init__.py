"""Every setting, declared once, and everything that is made from the declarations."""
