//! `iso`: a folder of ISO files, read-only; each file is a CD.
