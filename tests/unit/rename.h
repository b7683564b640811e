/*
 * Force-included in every file of a host test (gcc -include): the kernel's functions get names that
 * do not clash with the C library's, which the sanitizers and the test itself still use.
 */
#define memcpy k_memcpy
#define memmove k_memmove
#define memset k_memset
#define memcmp k_memcmp
#define memchr k_memchr
#define strlen k_strlen
#define strnlen k_strnlen
#define strcmp k_strcmp
#define strncmp k_strncmp
#define strchr k_strchr
#define strrchr k_strrchr
#define strlcpy k_strlcpy
#define snprintf k_snprintf
#define vsnprintf k_vsnprintf
