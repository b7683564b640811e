// Trace records as text.
#ifndef TRACE_FORMAT_H
#define TRACE_FORMAT_H

#include "trace/trace.h"

#define TRACE_LINE 320  // enough for every line

// Each event's name and the text of its arguments. In it {...} is left out when the argument in it is 0, and:
//   %d  decimal, signed            %x  0x and hexadecimal      %c  a character
//   %s  a literal                  %q  a literal, quoted       %n  16 characters in two arguments, quoted
//   %t  48 in six                  %f  function's name         %y  its name and an offset
//   %S  number of the system call  %N  its name
struct trace_kind {
    const char *name, *arguments;
};
extern const struct trace_kind trace_kinds[TRACE_EVENTS];

// One line without its newline, NUL-terminated: SECONDS.NNNNNNNNN HART TID EVENT key=value …. Its length.
size_t trace_format(char *line, size_t size, u32 hart, const struct trace_record *r);
// s in double quotes, with \" \\ \n \xNN in place of what could be mistaken. Its length, at most size - 1.
size_t trace_quote(char *out, size_t size, const char *s, size_t n);

#endif
