/* The node's key, certificate and id, on the state volume. */
#include "node/identity.h"

#include "base/err.h"
#include "base/file.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Four times what is taken of a certificate with those above it (net/reply.h). Of one ten times as
 * long the agent says so and ends. */
#define FILE_LIMIT (256u << 10)

struct file {
    const char *name;
    size_t offset;
};

static const struct file files[] = {
    {"node_id", offsetof(struct identity, node_id)},
    {"key.pem", offsetof(struct identity, key)},
    {"csr.pem", offsetof(struct identity, csr)},
    {"certificate.pem", offsetof(struct identity, certificate)},
    {"ca.pem", offsetof(struct identity, ca)},
    {"controller", offsetof(struct identity, controller)},
};

static char **field(const struct identity *identity, const struct file *file)
{
    return (char **)((char *)(uintptr_t)identity + file->offset);
}

void identity_set(char **value, const char *text)
{
    free(*value);
    *value = xstrdup(text ? text : "");
}

int identity_load(struct identity *identity, const char *folder, struct err *err)
{
    memset(identity, 0, sizeof(*identity));
    identity->folder = xstrdup(folder);
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot make %s", folder);
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        CLEANUP_FREE char *path = xasprintf("%s/%s", folder, files[i].name);
        size_t length;
        char **text = field(identity, &files[i]);
        int found = read_file_if_there(path, FILE_LIMIT, text, &length, err);
        /* Taken for missing, the node would enrol as another. */
        if (found < 0)
            return err_context(err, "the node's identity");
        if (found == 0)
            *text = xstrdup("");
    }
    /* Written without a line's end; a hand-made one is forgiven. */
    identity->node_id[strcspn(identity->node_id, "\n")] = '\0';
    if (identity->node_id[0] && !uuid_valid(identity->node_id))
        identity_forget(identity);
    return 0;
}

/* The id comes last: with it, all the rest is there. */
int identity_save(const struct identity *identity, struct err *err)
{
    for (size_t i = ARRAY_LENGTH(files); i-- > 0;) {
        CLEANUP_FREE char *path = xasprintf("%s/%s", identity->folder, files[i].name);
        const char *text = *field(identity, &files[i]);
        if (write_file(path, text, strlen(text), 0600, err) < 0)
            return -1;
    }
    return 0;
}

void identity_free(struct identity *identity)
{
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
        free(*field(identity, &files[i]));
    free(identity->folder);
}

bool identity_enrolled(const struct identity *identity)
{
    return identity->node_id[0] && identity->certificate[0] && identity->key[0];
}

void identity_forget(struct identity *identity)
{
    identity_set(&identity->node_id, "");
    identity_set(&identity->certificate, "");
    identity_set(&identity->ca, "");
    identity_set(&identity->controller, "");
}

void identity_tell(const struct identity *identity, const char *run_dir)
{
    CLEANUP_FREE char *path = xasprintf("%s/node-id", run_dir);
    CLEANUP_FREE char *line = xasprintf("%s\n", identity->node_id);
    struct err err;

    if (identity_enrolled(identity) && write_file(path, line, strlen(line), 0644, &err) < 0)
        log_error("%s", err.message);
}

char *identity_lost(const struct identity *identity, const char *run_dir)
{
    CLEANUP_FREE char *path = xasprintf("%s/previous-node", run_dir);
    char *text = NULL;
    size_t length;

    if (identity_enrolled(identity) || read_file(path, UUID_TEXT_BYTES, &text, &length, NULL) < 0)
        return NULL;
    text[strcspn(text, "\n")] = '\0';
    if (uuid_valid(text))
        return text;
    free(text);
    return NULL;
}
