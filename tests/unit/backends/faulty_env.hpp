#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>

#include <leveldb/env.h>

namespace test_support {

/// Holds up those who pass while it is closed. Thread-safe.
class Gate {
 public:
  void close() { set(false, 0); }
  void open() { set(true, 0); }
  /// Closed as it is, it lets one pass.
  void let_one_pass() { set(false, 1); }
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_ || passes_ > 0; });
    --waiting_;
    if (!open_) --passes_;
  }
  /// Until somebody is held up.
  void await_waiting() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > passes_; });
  }

 private:
  void set(bool open, int passes) {
    const std::scoped_lock lock(mutex_);
    open_ = open;
    passes_ = passes;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int passes_ = 0;  // while it is closed
  int waiting_ = 0;
};

/// A file system on which space runs out: once `bytes_left` is used up, a write stores what fits
/// and fails, as a full disk's does. Thread-safe.
class FaultyEnv final : public leveldb::EnvWrapper {
 public:
  FaultyEnv() : leveldb::EnvWrapper(leveldb::Env::Default()) {}

  static constexpr std::int64_t kPlenty = std::int64_t{1} << 50;
  std::atomic<std::int64_t> bytes_left{kPlenty};
  Gate syncs;  ///< what each sync passes through

  leveldb::Status NewWritableFile(const std::string& name,
                                  leveldb::WritableFile** result) override {
    leveldb::WritableFile* file = nullptr;
    const leveldb::Status status = target()->NewWritableFile(name, &file);
    *result = status.ok() ? new File(*this, name, file) : nullptr;
    return status;
  }
  leveldb::Status NewAppendableFile(const std::string& name,
                                    leveldb::WritableFile** result) override {
    leveldb::WritableFile* file = nullptr;
    const leveldb::Status status = target()->NewAppendableFile(name, &file);
    *result = status.ok() ? new File(*this, name, file) : nullptr;
    return status;
  }

 private:
  class File final : public leveldb::WritableFile {
   public:
    File(FaultyEnv& env, std::string name, leveldb::WritableFile* file)
        : env_(env), name_(std::move(name)), file_(file) {}
    ~File() override { delete file_; }
    leveldb::Status Append(const leveldb::Slice& data) override {
      const auto size = static_cast<std::int64_t>(data.size());
      const std::int64_t before = env_.bytes_left.fetch_sub(size);
      if (before >= size) return file_->Append(data);
      env_.bytes_left = 0;
      if (before > 0) {  // a torn write
        file_->Append(leveldb::Slice(data.data(), static_cast<std::size_t>(before)));
        file_->Flush();
      }
      return leveldb::Status::IOError(name_, "No space left on device");
    }
    leveldb::Status Close() override { return file_->Close(); }
    leveldb::Status Flush() override { return file_->Flush(); }
    leveldb::Status Sync() override {
      env_.syncs.pass();
      return file_->Sync();
    }

   private:
    FaultyEnv& env_;
    std::string name_;
    leveldb::WritableFile* file_;
  };
};

}  // namespace test_support
