/* memfd_create(2), and the seals of fcntl(2). */
#ifndef ABI_MEMFD_H
#define ABI_MEMFD_H

#define MFD_CLOEXEC 1u
#define MFD_ALLOW_SEALING 2u
#define MFD_HUGETLB 4u
#define MFD_NOEXEC_SEAL 8u
#define MFD_EXEC 16u

#define F_SEAL_SEAL 1u          /* no more seals */
#define F_SEAL_SHRINK 2u        /* never smaller */
#define F_SEAL_GROW 4u          /* never larger */
#define F_SEAL_WRITE 8u         /* never written */
#define F_SEAL_FUTURE_WRITE 16u /* written only through mappings that exist */
#define F_SEAL_EXEC 32u         /* the execute permissions stay */

#endif
