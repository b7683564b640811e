/* The words of a boot command line: split at blanks, with double quotes around what holds blanks. */
#ifndef LIB_ARGS_H
#define LIB_ARGS_H

#include "lib/types.h"

/*
 * Cut the next word off *rest (which is changed: NUL at the word's end, quotes removed) and step on.  NULL at the end.
 * *value is set to the text after the first `=`, which becomes a NUL, or to NULL if the word has none.
 */
char *args_next(char **rest, char **value);

/* Index of `word` in the NULL-terminated list, or -1. */
int args_choice(const char *word, const char *const *list);

#endif
