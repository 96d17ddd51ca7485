#include "router/member/member_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "fleet/protocol/text.hpp"
#include "json/nesting.hpp"
#include "ring/durable_file.hpp"

namespace router {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kForm = 1;

ring::VnodeSet set_from(const Json& text) { return ring::VnodeSet::parse(text.get<std::string>()); }

std::string contents(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

MemberFile::MemberFile(const std::filesystem::path& store)
    : file_(store / "member"), running_(store / "member.running") {
  const auto lock = store / "member.lock";
  lock_ = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0) throw std::system_error(errno, std::generic_category(), lock.string());
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    close(std::exchange(lock_, -1));
    throw std::runtime_error("another router is the fleet's member with this store of rings: " +
                             store.string());
  }
  try {
    read();
    unclean_ = std::filesystem::exists(running_);
  } catch (...) {
    close(lock_);
    throw;
  }
}

MemberFile::~MemberFile() { close(lock_); }

void MemberFile::read() {
  if (!std::filesystem::exists(file_)) return;
  try {
    const auto in = json::parse_bounded<Json>(contents(file_));
    if (!in.is_object() || in.at("v") != kForm)
      throw std::runtime_error("is not in a form that this program knows");
    if (in.contains("membership")) membership_ = fleet::membership_from(in.at("membership").dump());
    if (in.contains("record")) {
      record_ = fleet::record_from(in.at("record").dump());
      record_vnodes_ = set_from(in.at("vnodes"));
    }
    if (in.contains("blocks")) blocks_ = fleet::blocks_from(in.at("blocks").dump());
    for (const fleet::Block& block : blocks_)
      sets_[block.vnodes] = set_from(in.at("sets").at(block.vnodes));
  } catch (const std::exception& error) {
    throw std::runtime_error("member file " + file_.string() + ": " + error.what() +
                             "; without it this router joins its fleet anew");
  }
}

void MemberFile::write() const {
  Json out{{"v", kForm}};
  if (membership_) out["membership"] = Json::parse(fleet::to_text(*membership_));
  if (record_) {
    out["record"] = Json::parse(fleet::to_text(*record_));
    out["vnodes"] = record_vnodes_.to_text();
  }
  out["blocks"] = Json::parse(fleet::to_text(blocks_));
  out["sets"] = Json::object();
  for (const auto& [digest, set] : sets_) out["sets"][digest] = set.to_text();
  ring::durable::write(file_, out.dump() + "\n");
}

/// A value that could not be written is not kept: the member tries again.
void MemberFile::keep(std::optional<fleet::Membership> membership) {
  std::swap(membership_, membership);
  try {
    write();
  } catch (...) {
    std::swap(membership_, membership);
    throw;
  }
}

void MemberFile::keep(std::optional<fleet::Record> record, ring::VnodeSet vnodes) {
  std::swap(record_, record);
  std::swap(record_vnodes_, vnodes);
  try {
    write();
  } catch (...) {
    std::swap(record_, record);
    std::swap(record_vnodes_, vnodes);
    throw;
  }
}

void MemberFile::keep(fleet::Blocks blocks, std::map<std::string, ring::VnodeSet> sets,
                      std::uint64_t seq) {
  if (membership_) membership_->seq = std::max(membership_->seq, seq);
  std::swap(blocks_, blocks);
  std::swap(sets_, sets);
  try {
    write();
  } catch (...) {
    std::swap(blocks_, blocks);
    std::swap(sets_, sets);
    throw;
  }
}

void MemberFile::begins() {
  if (begun_) return;
  ring::durable::write(running_, "");
  begun_ = true;
}

void MemberFile::ends_cleanly() { ring::durable::remove(running_); }

}  // namespace router
