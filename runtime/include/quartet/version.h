// The version of Quartet, in every executable and in --version.
#ifndef QUARTET_VERSION_H
#define QUARTET_VERSION_H
#define QUARTET_VERSION "0.1.0"
#endif
