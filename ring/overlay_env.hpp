#pragma once

#include <memory>

#include <leveldb/env.h>

namespace ring {

/// An environment that reads real files and keeps every write in memory, takes no lock and logs
/// nothing. LevelDB has no read-only open: a plain one rewrites MANIFEST and CURRENT, and a failed
/// second one in a process drops the first one's lock. With this one, opening harms nobody, and
/// works on a read-only directory and while another process holds the lock.
/// Compactions that LevelDB wants are held back: what they write would be thrown away.
/// Any thread. Lives longer than the one database opened with it.
class OverlayEnv : public leveldb::EnvWrapper {
 public:
  using EnvWrapper::EnvWrapper;
  /// Must be called right before the database is closed: closing stops a compaction that is held
  /// back, but waits until it has been told so, on its own thread.
  virtual void let_background_work_end() = 0;
};

std::unique_ptr<OverlayEnv> make_overlay_env(leveldb::Env& base);

}  // namespace ring
