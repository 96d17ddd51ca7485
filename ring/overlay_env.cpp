#include "ring/overlay_env.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace ring {
namespace {

using leveldb::Slice;
using leveldb::Status;

using Content = std::shared_ptr<std::string>;

class MemoryReader final : public leveldb::SequentialFile, public leveldb::RandomAccessFile {
 public:
  explicit MemoryReader(Content content) : content_(std::move(content)) {}

  Status Read(std::size_t bytes, Slice* result, char*) override {
    const std::size_t available = std::min(bytes, content_->size() - position_);
    *result = Slice(content_->data() + position_, available);
    position_ += available;
    return Status::OK();
  }
  Status Skip(std::uint64_t bytes) override {
    position_ += std::min<std::size_t>(bytes, content_->size() - position_);
    return Status::OK();
  }
  Status Read(std::uint64_t offset, std::size_t bytes, Slice* result, char*) const override {
    const std::size_t begin = std::min<std::size_t>(offset, content_->size());
    *result = Slice(content_->data() + begin, std::min(bytes, content_->size() - begin));
    return Status::OK();
  }

 private:
  Content content_;
  std::size_t position_ = 0;
};

class MemoryWriter final : public leveldb::WritableFile {
 public:
  explicit MemoryWriter(Content content) : content_(std::move(content)) {}
  Status Append(const Slice& bytes) override {
    content_->append(bytes.data(), bytes.size());
    return Status::OK();
  }
  Status Close() override { return Status::OK(); }
  Status Flush() override { return Status::OK(); }
  Status Sync() override { return Status::OK(); }

 private:
  Content content_;
};

class NoLock final : public leveldb::FileLock {};
class NoLogger final : public leveldb::Logger {
 public:
  void Logv(const char*, std::va_list) override {}
};

class MemoryOverlay final : public OverlayEnv {
 public:
  explicit MemoryOverlay(leveldb::Env& base) : OverlayEnv(&base) {}

  Status NewSequentialFile(const std::string& name, leveldb::SequentialFile** file) override {
    return open(name, file, [&] { return target()->NewSequentialFile(name, file); });
  }
  Status NewRandomAccessFile(const std::string& name, leveldb::RandomAccessFile** file) override {
    return open(name, file, [&] { return target()->NewRandomAccessFile(name, file); });
  }
  Status NewWritableFile(const std::string& name, leveldb::WritableFile** file) override {
    const std::scoped_lock lock(mutex_);
    removed_.erase(name);
    *file = new MemoryWriter(written_[name] = std::make_shared<std::string>());
    return Status::OK();
  }
  Status NewAppendableFile(const std::string& name, leveldb::WritableFile** file) override {
    return NewWritableFile(name, file);
  }
  bool FileExists(const std::string& name) override {
    const std::scoped_lock lock(mutex_);
    if (written_.contains(name)) return true;
    return !removed_.contains(name) && target()->FileExists(name);
  }
  Status GetChildren(const std::string& directory, std::vector<std::string>* names) override {
    const Status status = target()->GetChildren(directory, names);
    const std::scoped_lock lock(mutex_);
    std::erase_if(*names,
                  [&](const auto& name) { return removed_.contains(directory + "/" + name); });
    for (const auto& [path, content] : written_)
      if (path.starts_with(directory + "/")) {
        const std::string name = path.substr(directory.size() + 1);
        if (std::find(names->begin(), names->end(), name) == names->end()) names->push_back(name);
      }
    return status;
  }
  Status RemoveFile(const std::string& name) override {
    const std::scoped_lock lock(mutex_);
    written_.erase(name);
    removed_.insert(name);
    return Status::OK();
  }
  Status RenameFile(const std::string& from, const std::string& to) override {
    const std::scoped_lock lock(mutex_);
    const auto found = written_.find(from);
    if (found != written_.end()) {
      written_[to] = found->second;
      removed_.erase(to);
      written_.erase(from);
    }
    removed_.insert(from);
    return Status::OK();
  }
  Status GetFileSize(const std::string& name, std::uint64_t* size) override {
    if (const auto content = find(name)) {
      *size = (*content)->size();
      return Status::OK();
    }
    return target()->GetFileSize(name, size);
  }
  Status CreateDir(const std::string&) override { return Status::OK(); }
  Status RemoveDir(const std::string&) override { return Status::OK(); }
  Status LockFile(const std::string&, leveldb::FileLock** lock) override {
    *lock = new NoLock;
    return Status::OK();
  }
  Status UnlockFile(leveldb::FileLock* lock) override {
    delete lock;
    return Status::OK();
  }
  void Schedule(void (*work)(void*), void* argument) override {
    const std::scoped_lock lock(background_mutex_);
    held_back_.emplace_back(work, argument);
    if (ending_) start_held_back();
  }
  void let_background_work_end() override {
    const std::scoped_lock lock(background_mutex_);
    ending_ = true;
    start_held_back();
  }
  Status NewLogger(const std::string&, leveldb::Logger** logger) override {
    *logger = new NoLogger;
    return Status::OK();
  }

 private:
  std::optional<Content> find(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    const auto found = written_.find(name);
    if (found == written_.end()) return std::nullopt;
    return found->second;
  }
  template <typename File, typename OpenReal>
  Status open(const std::string& name, File** file, OpenReal open_real) {
    if (const auto content = find(name)) {
      *file = new MemoryReader(*content);
      return Status::OK();
    }
    return open_real();
  }

  void start_held_back() {
    for (const auto& [work, argument] : held_back_) threads_.emplace_back(work, argument);
    held_back_.clear();
  }

  std::mutex mutex_;  // LevelDB's background work uses the environment too
  std::map<std::string, Content> written_;
  std::set<std::string> removed_;

  std::mutex background_mutex_;
  bool ending_ = false;
  std::vector<std::pair<void (*)(void*), void*>> held_back_;
  std::vector<std::jthread> threads_;  // of this environment: the process's may be busy for long
};

}  // namespace

std::unique_ptr<OverlayEnv> make_overlay_env(leveldb::Env& base) {
  return std::make_unique<MemoryOverlay>(base);
}

}  // namespace ring
