"""``taxi doctor``: what is wrong with the surroundings, and how to mend it. It looks, and changes nothing."""
