"""Where everything is composed, and the only code that speaks HTTP or terminal to the outside."""
