/* Names and short ids for whole ids. */
#include "ctl/find.h"

#include "base/ident.h"
#include "ctl/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An exact id or name beats a beginning. The list is kept: the result is a part of it. */
static const char *find_in(struct control *control, json_t *list, const char *text,
                           const char *what)
{
    if (!control->kept)
        control->kept = json_array();
    json_array_append_new(control->kept, list);
    const json_t *found = NULL, *item;
    unsigned beginnings = 0, names = 0;
    const json_t *named = NULL;
    size_t index;
    json_array_foreach(list, index, item)
    {
        const char *id = json_string_value(json_object_get(item, "id"));
        const char *name = json_string_value(json_object_get(item, "name"));
        if (id && strcmp(id, text) == 0)
            return id;
        if (name && strcmp(name, text) == 0) {
            names++;
            named = item;
        }
        if (id && strncmp(id, text, strlen(text)) == 0) {
            beginnings++;
            found = item;
        }
    }
    if (names == 1)
        found = named;
    else if (names > 1 || beginnings != 1)
        found = NULL;
    if (!found) {
        fprintf(stderr,
                names > 1 || beginnings > 1 ? "slicectl: more than one %s is called %s\n"
                                            : "slicectl: there is no %s %s\n",
                what, text);
        exit(EXIT_REFUSED);
    }
    return json_string_value(json_object_get(found, "id"));
}

const char *find_slice(struct control *control, const char *text)
{
    return uuid_valid(text)
               ? text
               : find_in(control, control_need(control, "slice.list", NULL), text, "slice");
}

const char *find_snapshot(struct control *control, const char *slice, const char *text)
{
    return uuid_valid(text)
               ? text
               : find_in(control,
                         control_need(control, "snapshot.list", json_pack("{s:s}", "slice", slice)),
                         text, "snapshot");
}

const char *find_volume(struct control *control, const char *text)
{
    return uuid_valid(text)
               ? text
               : find_in(control, control_need(control, "volume.list", NULL), text, "volume");
}

const char *find_image(struct control *control, const char *text)
{
    return uuid_valid(text)
               ? text
               : find_in(control, control_need(control, "image.list", NULL), text, "image");
}
