/* Variables, parameters, the environment of programs. A list is enough: a shell has some dozens. */
#include "user/sh/sh.h"

struct var {
    struct var *next;
    char *name, *value; /* value null: exported, but not set */
    bool exported;
};

static struct var *vars;

char **params;
int param_count;
const char *shell_name = "sh";
int last_status, substitution_status, last_background, shell_pid;

bool is_name(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        bool letter = s[i] == '_' || (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z');
        if (!letter && (i == 0 || s[i] < '0' || s[i] > '9'))
            return false;
    }
    return n > 0;
}

size_t assignment_name(const char *word) {
    const char *eq = strchr(word, '=');
    size_t n = eq ? (size_t)(eq - word) : 0;

    return is_name(word, n) ? n : 0;
}

static struct var *find(const char *name) {
    for (struct var *v = vars; v; v = v->next) {
        if (strcmp(v->name, name) == 0)
            return v;
    }
    return 0;
}

static struct var *find_or_make(const char *name) {
    struct var *v = find(name);

    if (!v) {
        v = xmalloc(sizeof(*v));
        *v = (struct var){.next = vars, .name = xstrdup(name)};
        vars = v;
    }
    return v;
}

const char *var_get(const char *name) {
    struct var *v = find(name);

    return v ? v->value : 0;
}

void var_set(const char *name, const char *value) {
    struct var *v = find_or_make(name);
    char *copy = xstrdup(value);

    free(v->value);
    v->value = copy;
}

void var_export(const char *name) { find_or_make(name)->exported = true; }

void var_unset(const char *name) {
    for (struct var **p = &vars; *p; p = &(*p)->next) {
        struct var *v = *p;
        if (strcmp(v->name, name) != 0)
            continue;
        *p = v->next;
        free(v->name);
        free(v->value);
        free(v);
        return;
    }
}

void vars_import(char **env) {
    for (; *env; env++) {
        size_t n = assignment_name(*env);
        if (!n)
            continue;
        char *name = xstrdup(*env);
        name[n] = 0;
        var_set(name, *env + n + 1);
        var_export(name);
        free(name);
    }
}

char **vars_environ(void) {
    size_t n = 0, size;
    char **env;

    for (struct var *v = vars; v; v = v->next)
        n += v->exported && v->value;
    env = xmalloc((n + 1) * sizeof(*env));
    n = 0;
    for (struct var *v = vars; v; v = v->next) {
        if (!v->exported || !v->value)
            continue;
        size = (size_t)strlen(v->name) + strlen(v->value) + 2;
        env[n] = xmalloc(size);
        snprintf(env[n++], size, "%s=%s", v->name, v->value);
    }
    env[n] = 0;
    return env;
}

void vars_print(bool exported_only) {
    for (struct var *v = vars; v; v = v->next) {
        if (v->value && (v->exported || !exported_only))
            out("%s%s='%s'\n", exported_only ? "export " : "", v->name, v->value);
    }
}
