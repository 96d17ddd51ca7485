// What a coordinator does so that values which the source has given out stay unique at the target.
#include <algorithm>

#include "reshard/executor.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;

constexpr std::int64_t kValueRoom = 10'000;  ///< values that the target leaves out
constexpr std::int64_t kValuesLeft =
    1'000;  ///< of them, at the cutover: a sequence's cache may be ahead

/// Further along than `from` by `by`, or by half of what is left of the sequence.
std::int64_t ahead(const AdvancedSequence& sequence, std::int64_t from, std::int64_t by) {
  if (sequence.descends)
    return from - by < sequence.least + by ? from - (from - sequence.least) / 2 : from - by;
  return from + by > sequence.most - by ? from + (sequence.most - from) / 2 : from + by;
}

/// Whether `one` comes before `other` in the order in which the sequence counts.
bool comes_before(const AdvancedSequence& sequence, std::int64_t one, std::int64_t other) {
  return sequence.descends ? one > other : one < other;
}

}  // namespace

/// Which tables give values out of something that the target has to be ahead of. Where ids are
/// issued anew, they are none of it.
void Executor::read_serials() {
  sequences_.clear();
  orders_.clear();
  for (const auto& [name, pair] : forward_.tables()) {
    for (const Table::Column& column : pair.source.columns) {
      const bool id = column.name == "_id";
      const Table::Column* there = pair.target.column(column.name);
      if (there == nullptr || (id && !ids_kept_)) continue;
      const std::uint32_t from = id ? pair.source.id_sequence : column.sequence;
      const std::uint32_t to = id ? pair.target.id_sequence : there->sequence;
      if (from == 0 || to == 0) continue;
      const Rows is = target_.owner().run(
          "SELECT seqincrement < 0, seqmin, seqmax FROM pg_sequence WHERE seqrelid = $1::oid",
          {std::to_string(to)});
      if (is.count() == 0) continue;
      sequences_.push_back({from, to, is.text(0, 0) == "t", std::stoll(is.string(0, 1)),
                            std::stoll(is.string(0, 2))});
    }
    const Relation order = Relation::named(pair.source.bucket + "_locking_serial");
    const auto is_there = [&](Database& side) {
      return side.owner().run("SELECT 1 WHERE to_regclass($1) IS NOT NULL", {order.sql()}).count() >
             0;
    };
    if (is_there(source_) && is_there(target_)) orders_.push_back(order);
  }
}

/// `prepare` has left room, so that the block needs no write for it unless the source was quicker.
void Executor::advance_sequences() {
  if (sequences_.empty() && orders_.empty()) return;
  std::string here, there, sql;
  const auto ask = [](std::string& query, const std::string& value) {
    query += (query.empty() ? "SELECT " : ", ") + value;
  };
  for (const AdvancedSequence& each : sequences_) {
    ask(here, "pg_sequence_last_value(" + std::to_string(each.source) + ")");
    ask(there, "pg_sequence_last_value(" + std::to_string(each.target) + ")");
  }
  for (const Relation& each : orders_)
    for (std::string* query : {&here, &there})
      ask(*query, "(SELECT coalesce(max(id), 1) FROM " + each + ")");
  source_.owner().send(here);
  target_.owner().send(there);
  const Rows targets = target_.owner().receive(), sources = source_.owner().receive();
  int column = 0;
  for (const AdvancedSequence& each : sequences_) {
    const int at = column++;
    if (sources.null(0, at)) continue;  // it has given nothing yet
    const std::int64_t last = std::stoll(sources.string(0, at));
    if (!targets.null(0, at) &&
        !comes_before(each, std::stoll(targets.string(0, at)), ahead(each, last, kValuesLeft)))
      continue;
    sql += "SELECT setval(" + std::to_string(each.target) + "::regclass, " +
           std::to_string(ahead(each, last, kValueRoom)) + ");";
  }
  for (const Relation& each : orders_) {
    const int at = column++;
    if (std::stoll(targets.string(0, at)) < std::stoll(sources.string(0, at)))
      sql +=
          "UPDATE " + each + " SET id = " + std::to_string(std::stoll(sources.string(0, at))) + ";";
  }
  if (!sql.empty()) target_.owner().run_all(sql);
}

}  // namespace reshard
