/* Preloaded, it makes fsync and fdatasync take as many milliseconds more as /tmp/slow-fsync-ms says, or fail with EIO
 * when the file says "eio". The file may change while the program runs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int hold_up(void)
{
    char text[16] = "";
    int file = open("/tmp/slow-fsync-ms", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0)
        return 0;
    if (strncmp(text, "eio", 3) == 0) {
        errno = EIO;
        return -1;
    }
    long ms = atol(text);
    struct timespec left = {ms / 1000, (ms % 1000) * 1000000L};
    while (ms > 0 && nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
    return 0;
}

int fsync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return hold_up() != 0 ? -1 : real(fd);
}

int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return hold_up() != 0 ? -1 : real(fd);
}
