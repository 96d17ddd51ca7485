#pragma once

#include <memory>

#include <leveldb/env.h>

namespace ring {

/// An environment that reads real files and keeps every write in memory, takes no lock and logs
/// nothing. LevelDB has no read-only open: a plain one rewrites MANIFEST and CURRENT, and a failed
/// second one in a process drops the first one's lock. With this one, opening harms nobody, and
/// works on a read-only directory and while another process holds the lock.
/// Any thread. Lives longer than the databases opened with it.
std::unique_ptr<leveldb::Env> make_overlay_env(leveldb::Env& base);

}  // namespace ring
