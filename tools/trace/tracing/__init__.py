"""Host side of tracing: from the text of /proc/trace/events to pictures.

text reads the text, story makes slices and arrows of it, chrome and page write them, guest gets the text out of a
machine. text and story know nothing of files or machines; tests feed them by hand.
"""
