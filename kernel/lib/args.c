/*
 * Boot command lines: words at blanks, quotes around a value that holds blanks, key=value.
 *
 * The text is cut in place, so the caller gives a copy that it may keep: words point into it.
 * Pure code, no state. Source: Linux's Documentation/admin-guide/kernel-parameters (the syntax).
 */
#include "lib/args.h"

#include "lib/string.h"

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\n'; }

char *args_next(char **rest, char **value) {
    char *from = *rest;
    while (blank(*from))
        from++;
    *value = NULL;
    if (*from == '\0')
        return NULL;
    char *word = from, *to = from;
    bool quoted = false;
    for (; *from && (quoted || !blank(*from)); from++) {
        if (*from == '"') {
            quoted = !quoted;
        } else if (*from == '=' && *value == NULL) {
            *to++ = '\0';
            *value = to;
        } else {
            *to++ = *from;
        }
    }
    *rest = *from ? from + 1 : from;
    *to = '\0';
    return word;
}

int args_choice(const char *word, const char *const *list) {
    for (int i = 0; list[i]; i++)
        if (word && strcmp(word, list[i]) == 0)
            return i;
    return -1;
}
