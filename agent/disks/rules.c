#include "disks/rules.h"
#include "base/memory.h"
#include "base/text.h"

#include <string.h>

static int parse_word(char *word, struct disk_rules *rules, struct err *err)
{
    struct disk_rule *rule;
    size_t length = strlen(word);

    if (strcmp(word, "mirror") == 0) {
        rules->mirror = true;
        return 0;
    }
    if (rules->count == RULES_MAX)
        return err_set(err, ERR_CONF_INVALID, "slicenode.disk: more than %d disks", RULES_MAX);
    rule = &rules->rule[rules->count];
    rule->wipe = length > 5 && strcmp(word + length - 5, ":wipe") == 0;
    if (rule->wipe)
        word[length - 5] = '\0';
    if ((strncmp(word, "/dev/", 5) != 0 && strncmp(word, "serial=", 7) != 0) ||
        !copy_text(rule->word, sizeof(rule->word), word))
        return err_set(err, ERR_CONF_INVALID, "slicenode.disk: %s names no disk",
                       quoted(word).text);
    rules->count++;
    return 0;
}

int rules_parse(const char *value, struct disk_rules *rules, struct err *err)
{
    CLEANUP_FREE char *copy = xstrdup(value);
    char *rest = copy, *word;

    memset(rules, 0, sizeof(*rules));
    copy[strcspn(copy, "\n")] = '\0';
    while ((word = strsep(&rest, ","))) {
        if (strcmp(word, "none") == 0)
            rules->none = true;
        else if (*word && strcmp(word, "auto") != 0 && parse_word(word, rules, err) < 0)
            return -1;
    }
    return 0;
}

struct disk_naming rules_find(struct disk_rules *rules, const struct disk *disk)
{
    struct disk_naming naming = {.named = false};

    for (unsigned i = 0; i < rules->count; i++) {
        struct disk_rule *rule = &rules->rule[i];
        bool by_name = strncmp(rule->word, "/dev/", 5) == 0;
        if (strcmp(rule->word + (by_name ? 5 : 7), by_name ? disk->name : disk->serial) != 0)
            continue;
        rule->seen = naming.named = true;
        naming.wipe |= rule->wipe;
    }
    return naming;
}
