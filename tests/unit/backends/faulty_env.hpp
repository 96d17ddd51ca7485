#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include <leveldb/env.h>

namespace test_support {

/// A file system on which space runs out: once `bytes_left` is used up, a write stores what fits
/// and fails, as a full disk's does. Thread-safe.
class FaultyEnv final : public leveldb::EnvWrapper {
 public:
  FaultyEnv() : leveldb::EnvWrapper(leveldb::Env::Default()) {}

  static constexpr std::int64_t kPlenty = std::int64_t{1} << 50;
  std::atomic<std::int64_t> bytes_left{kPlenty};

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
    leveldb::Status Sync() override { return file_->Sync(); }

   private:
    FaultyEnv& env_;
    std::string name_;
    leveldb::WritableFile* file_;
  };
};

}  // namespace test_support
