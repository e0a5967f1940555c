"""Reading photographs and degrading them."""
