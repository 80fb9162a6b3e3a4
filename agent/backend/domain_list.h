/* Domains as a list that is searched. */
#ifndef SLICENODE_BACKEND_DOMAIN_LIST_H
#define SLICENODE_BACKEND_DOMAIN_LIST_H

#include "backend/backend.h"

#include <stddef.h>

/* By slice, and those of one slice by their numbers: a domain that is about to go stands before
 * the one that has come in its place. */
void domain_list_sort(struct domain_info *list, size_t count);
/* Where the slice's domains begin in a list that is sorted so; sets how many there are. */
size_t domain_list_find(const struct domain_info *list, size_t count, const char *slice,
                        size_t *some);

#endif
