// with: lib/args.c lib/string.c
#include "unit.h"

#include "lib/args.h"
#include "lib/string.h"

static void words(void) {
    char line[] = "  root=/dev/vda rw\tname=\"a b\"  -- x=y=z ";
    char *rest = line, *value;
    CHECK(strcmp(args_next(&rest, &value), "root") == 0 && strcmp(value, "/dev/vda") == 0);
    CHECK(strcmp(args_next(&rest, &value), "rw") == 0 && value == NULL);
    CHECK(strcmp(args_next(&rest, &value), "name") == 0 && strcmp(value, "a b") == 0);
    CHECK(strcmp(args_next(&rest, &value), "--") == 0 && value == NULL);
    CHECK(strcmp(args_next(&rest, &value), "x") == 0 && strcmp(value, "y=z") == 0);
    CHECK(args_next(&rest, &value) == NULL);
    CHECK(args_next(&rest, &value) == NULL);
}

static void edges(void) {
    char empty[] = "", open[] = "a=\"b c", *rest = empty, *value;
    CHECK(args_next(&rest, &value) == NULL);
    rest = open;
    CHECK(strcmp(args_next(&rest, &value), "a") == 0 && strcmp(value, "b c") == 0);
    CHECK(args_next(&rest, &value) == NULL);
}

static void choices(void) {
    static const char *const list[] = {"one", "two", NULL};
    CHECK(args_choice("two", list) == 1);
    CHECK(args_choice("three", list) == -1);
    CHECK(args_choice(NULL, list) == -1);
}

int main(void) {
    RUN(words);
    RUN(edges);
    RUN(choices);
    return unit_result();
}
