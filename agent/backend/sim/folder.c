#include "backend/sim/folder.h"

#include "base/err.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

json_t *sim_load(const char *path)
{
    return json_load_file(path, 0, NULL);
}

int sim_save(const char *path, const json_t *object, struct err *err)
{
    CLEANUP_FREE char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    CLEANUP_FREE char *part = xasprintf("%s.%d", path, (int)getpid());
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int written = fd < 0 ? -1 : write_full(fd, text, strlen(text));
    if (fd >= 0)
        close(fd);
    if (written < 0 || rename(part, path) < 0)
        return err_errno(err, ERR_INTERNAL, errno, "cannot write %s", path);
    return 0;
}

int sim_lock(struct sim *sim)
{
    CLEANUP_FREE char *path = xasprintf("%s/lock", sim->folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    while (fd >= 0 && flock(fd, LOCK_EX) < 0 && errno == EINTR)
        ;
    return fd;
}

json_t *sim_settings(struct sim *sim)
{
    CLEANUP_FREE char *path = xasprintf("%s/node.json", sim->folder);
    return sim_load(path);
}

json_int_t sim_number(struct sim *sim, const char *name, json_int_t usual)
{
    json_t *node = sim_settings(sim), *value = json_object_get(node, name);
    json_int_t number = json_is_integer(value) ? json_integer_value(value) : usual;
    json_decref(node);
    return number;
}

bool sim_flag(struct sim *sim, const char *name, bool usual)
{
    json_t *node = sim_settings(sim), *value = json_object_get(node, name);
    bool flag = json_is_boolean(value) ? json_is_true(value) : usual;
    json_decref(node);
    return flag;
}

char *sim_text(struct sim *sim, const char *name)
{
    json_t *node = sim_settings(sim);
    const char *value = json_string_value(json_object_get(node, name));
    char *text = value ? xstrdup(value) : NULL;
    json_decref(node);
    return text;
}

int sim_next_domain(struct sim *sim)
{
    CLEANUP_FREE char *path = xasprintf("%s/last_domain", sim->folder);
    json_t *last = sim_load(path);
    int domain_id = (int)json_integer_value(json_object_get(last, "id")) + 1;
    json_decref(last);
    last = json_pack("{s:i}", "id", domain_id);
    sim_save(path, last, NULL);
    json_decref(last);
    return domain_id;
}

char *sim_domain_path(struct sim *sim, const char *slice)
{
    return xasprintf("%s/domains/%s", sim->folder, slice);
}
