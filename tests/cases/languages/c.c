#include <stdio.h>
#include "shelf.h"

#define LIMIT 3
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Holds cups. */
struct shelf {
    int cups;
};

typedef struct shelf shelf_t;

enum size { SMALL, LARGE };

union drink {
    int tea;
    float water;
};

static int count(const shelf_t *shelf) {
    // Never more than the limit.
    if (shelf->cups > LIMIT) {
        return LIMIT;
    }
    return shelf->cups;
}

char *name(void)
{
    return "shelf";
}
