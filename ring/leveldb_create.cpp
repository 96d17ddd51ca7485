#include <memory>

#include <leveldb/db.h>
#include <leveldb/write_batch.h>

#include "ring/digest.hpp"
#include "ring/leveldb_store.hpp"
#include "ring/pnode_order.hpp"
#include "ring/version.hpp"

namespace ring {
namespace {

constexpr std::uint32_t kVnodesPerBatch = 1000;

class Writer {
 public:
  Writer(const std::filesystem::path& directory, const Ring& ring)
      : directory_(directory.string()), ring_(ring) {
    if (const auto collision = key_collision(ring.pnodes()))
      throw RingError("ring " + directory_ + ": " + *collision);
    if (std::filesystem::exists(directory))
      throw RingError("ring " + directory_ + ": exists already");
    leveldb::Options options;
    options.create_if_missing = true;
    options.error_if_exists = true;
    options.compression = leveldb::kNoCompression;  // as node-fash opens it
    leveldb::DB* opened = nullptr;
    check(leveldb::DB::Open(options, directory_, &opened));
    db_.reset(opened);
  }

  void write() {
    put("VNODE_COUNT", std::to_string(ring_.vnode_count()));
    write_vnodes();
    write_lists();
    put("VNODE_DATA", data_list());
    flush(true);
    // All of it into sorted tables: no crash can keep COMPLETE and lose what it vouches for, and
    // each load afterwards is a third faster.
    db_->CompactRange(nullptr, nullptr);
    batch_.Put("ALGORITHM", algorithm());
    batch_.Put("VERSION", json_string(std::string(kVersion)));
    batch_.Put("COMPLETE", "1");
    flush(true);
  }

 private:
  void check(const leveldb::Status& status) const {
    if (!status.ok()) throw RingError("ring " + directory_ + ": " + status.ToString());
  }
  void put(const std::string& key, const std::string& value) { batch_.Put(key, value); }
  void flush(bool sync) {
    leveldb::WriteOptions options;
    options.sync = sync;
    check(db_->Write(options, &batch_));
    batch_.Clear();
  }

  void write_vnodes() {
    std::vector<std::string> names;
    for (const std::string& pnode : ring_.pnodes()) names.push_back(json_string(pnode));
    for (std::uint32_t v = 0; v < ring_.vnode_count(); ++v) {
      const auto vnode = static_cast<Vnode>(v);
      const PnodeIndex owner = ring_.owner(vnode);
      const std::string digits = std::to_string(v);
      put("/VNODE/" + digits, names[number(owner)]);
      put("/PNODE/" + ring_.pnode_name(owner) + "/" + digits, std::string(ring_.data_json(vnode)));
      if ((v + 1) % kVnodesPerBatch == 0) flush(false);
    }
  }

  void write_lists() {
    std::vector<std::string> lists(ring_.pnodes().size());
    for (std::uint32_t v = 0; v < ring_.vnode_count(); ++v) {
      std::string& list = lists[number(ring_.owner(static_cast<Vnode>(v)))];
      list += (list.empty() ? "" : ",") + std::to_string(v);
    }
    std::string names;
    for (std::size_t i = 0; i < lists.size(); ++i) {
      put("/PNODE/" + ring_.pnodes()[i], "[" + lists[i] + "]");
      names += (i == 0 ? "" : ",") + json_string(ring_.pnodes()[i]);
    }
    put("/PNODE", "[" + names + "]");
  }

  [[nodiscard]] std::string data_list() const {
    std::string list;
    for (const Vnode vnode : ring_.data_vnodes())
      list += (list.empty() ? "" : ",") + std::to_string(number(vnode));
    return "[" + list + "]";
  }

  [[nodiscard]] std::string algorithm() const {
    return "{\"NAME\":\"" + std::string(to_string(ring_.algorithm())) + "\",\"MAX\":\"" +
           std::string(2 * digest_bytes(ring_.algorithm()), 'F') + "\",\"VNODE_HASH_INTERVAL\":\"" +
           ring_.interval_hex() + "\"}";
  }

  std::string directory_;
  const Ring& ring_;
  std::unique_ptr<leveldb::DB> db_;
  leveldb::WriteBatch batch_;
};

}  // namespace

void create_leveldb(const std::filesystem::path& directory, const Ring& ring) {
  Writer(directory, ring).write();
}

}  // namespace ring
