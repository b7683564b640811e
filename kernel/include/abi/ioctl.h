/* How ioctl(2) request numbers are made. */
#ifndef ABI_IOCTL_H
#define ABI_IOCTL_H

#define _IOC_NONE 0U
#define _IOC_WRITE 1U
#define _IOC_READ 2U
#define _IOC(dir, type, nr, size) (((dir) << 30) | ((size) << 16) | ((type) << 8) | (nr))
#define _IO(type, nr) _IOC(_IOC_NONE, (unsigned)(type), (nr), 0U)
#define _IOR(type, nr, t) _IOC(_IOC_READ, (unsigned)(type), (nr), (unsigned)sizeof(t))
#define _IOW(type, nr, t) _IOC(_IOC_WRITE, (unsigned)(type), (nr), (unsigned)sizeof(t))
#define _IOWR(type, nr, t) _IOC(_IOC_READ | _IOC_WRITE, (unsigned)(type), (nr), (unsigned)sizeof(t))

#define FIONREAD 0x541B
#define FIONBIO 0x5421
#define FIONCLEX 0x5450
#define FIOCLEX 0x5451
#define FIOASYNC 0x5452

#define BLKROGET _IO(0x12, 94)
#define BLKGETSIZE _IO(0x12, 96)
#define BLKFLSBUF _IO(0x12, 97)
#define BLKSSZGET _IO(0x12, 104)
#define BLKGETSIZE64 _IOR(0x12, 114, unsigned long)

#endif
