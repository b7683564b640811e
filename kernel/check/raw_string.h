// CHECK=kasan, CHECK=race: lib/string.c compiled with this first defines raw_memcpy() and so on, which check nothing;
// checked_string.c defines the functions with the usual names.
#ifndef CHECK_RAW_STRING_H
#define CHECK_RAW_STRING_H

#if defined(CHECK_KASAN) || defined(CHECK_RACE)
#define memcpy raw_memcpy
#define memmove raw_memmove
#define memset raw_memset
#define memcmp raw_memcmp
#define memchr raw_memchr
#define strlen raw_strlen
#define strnlen raw_strnlen
#define strcmp raw_strcmp
#define strncmp raw_strncmp
#define strchr raw_strchr
#define strrchr raw_strrchr
#define strlcpy raw_strlcpy
#define page_clear raw_page_clear
#define page_copy raw_page_copy
#endif

#endif
