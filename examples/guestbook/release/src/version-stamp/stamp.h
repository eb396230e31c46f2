/* What /version says about the release it was built from. */
extern const char version_stamp[];
