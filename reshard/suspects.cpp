#include "reshard/suspects.hpp"

#include "reshard/row_sums.hpp"
#include "reshard/rows.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;
using backends::postgres::Session;
using backends::postgres::SessionError;

constexpr int kFetchedAtOnce = 2'000;

/// Keys and digests of one side in the order of the keys. A cursor that outlives transactions: the
/// server keeps its rows, and this process a few thousand of them.
class SortedDigests {
 public:
  explicit SortedDigests(Session& session) : session_(session) {}
  SortedDigests(const SortedDigests&) = delete;
  SortedDigests& operator=(const SortedDigests&) = delete;
  ~SortedDigests() {
    if (!open_) return;
    try {
      session_.run_all("CLOSE compared");
    } catch (const SessionError&) {  // the connection is lost, and the cursor with it
    }
  }

  /// In two halves, so that both servers work at once.
  void ask(const std::string& sql) {
    session_.send_all("DECLARE compared NO SCROLL CURSOR WITH HOLD FOR " + sql +
                      " ORDER BY t._key COLLATE \"C\"; " + fetch());
    open_ = true;
  }
  void receive() { rows_ = session_.receive(); }

  [[nodiscard]] bool at_end() const { return at_ >= rows_.count(); }
  [[nodiscard]] std::string_view key() const { return rows_.text(at_, 0); }
  [[nodiscard]] std::string digest() const { return rows_.string(at_, 1); }
  void next() {
    if (++at_ < rows_.count() || rows_.count() < kFetchedAtOnce) return;
    rows_ = session_.run_all(fetch());
    at_ = 0;
  }

 private:
  static std::string fetch() {
    return "FETCH " + std::to_string(kFetchedAtOnce) + " FROM compared";
  }

  Session& session_;
  Rows rows_;
  int at_ = 0;
  bool open_ = false;
};

}  // namespace

Suspects suspects_of_keys(Database& from, Database& to, const TablePair& pair,
                          const std::vector<std::string>& keys) {
  const auto both = ask_both(from.owner(), to.owner(),
                             digests_sql(pair, "t._key = ANY($1::text[])"), {text_array(keys)});
  const auto here = digests_of(both.first);
  auto there = digests_of(both.second);
  Suspects suspects;
  for (const auto& [key, digest] : here) {
    const auto found = there.find(key);
    if (found == there.end()) {
      suspects[key] = {digest, ""};
      continue;
    }
    if (found->second != digest) suspects[key] = {digest, found->second};
    there.erase(found);
  }
  for (const auto& [key, digest] : there) suspects[key] = {"", digest};
  return suspects;
}

void each_suspects_of_vnodes(Database& from, Database& to, const TablePair& pair,
                             const VnodeGroup& vnodes,
                             const std::function<void(Suspects suspects)>& sink) {
  const auto sql = digests_sql(pair, "t._vnode = ANY(" + group_sql(vnodes) + ")");
  SortedDigests here(from.owner()), there(to.owner());
  here.ask(sql.first);
  there.ask(sql.second);
  here.receive();
  there.receive();
  Suspects suspects;
  while (!here.at_end() || !there.at_end()) {
    const bool first = !here.at_end() && (there.at_end() || here.key() <= there.key());
    const bool second = !there.at_end() && (here.at_end() || there.key() <= here.key());
    const std::string digest = first ? here.digest() : "", other = second ? there.digest() : "";
    if (digest != other) suspects[std::string(first ? here.key() : there.key())] = {digest, other};
    if (first) here.next();
    if (second) there.next();
    if (suspects.size() < kSuspectsAtOnce) continue;
    sink(std::move(suspects));
    suspects = {};
  }
  if (!suspects.empty()) sink(std::move(suspects));
}

}  // namespace reshard
