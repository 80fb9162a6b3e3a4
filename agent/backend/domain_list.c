#include "backend/domain_list.h"

#include "backend/backend.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
    const struct domain_info *one = left, *other = right;
    int order = strcmp(one->slice, other->slice);
    return order ? order
                 : (one->domain_id > other->domain_id) - (one->domain_id < other->domain_id);
}

void domain_list_sort(struct domain_info *list, size_t count)
{
    if (count > 0)
        qsort(list, count, sizeof(*list), compare);
}

size_t domain_list_find(const struct domain_info *list, size_t count, const char *slice,
                        size_t *some)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(list[middle].slice, slice) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *some = 0;
    while (low + *some < count && strcmp(list[low + *some].slice, slice) == 0)
        (*some)++;
    return low;
}
