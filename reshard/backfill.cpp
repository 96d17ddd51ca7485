#include "reshard/backfill.hpp"

#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>

#include "backends/postgres/wire/identifier.hpp"
#include "reshard/throttle.hpp"
#include "ring/key_transform.hpp"

namespace reshard {
namespace {

using backends::postgres::identifier;
using backends::postgres::Parameters;
using backends::postgres::Rows;
using backends::postgres::Session;

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

struct Bucket {
  std::string name;
  std::uint64_t rows_about = 0;
};

/// The buckets to look at, in the order of their names, which a position depends on.
std::vector<Bucket> buckets_of(Session& session, const BackfillOptions& options) {
  std::vector<Bucket> buckets;
  const Rows rows = session.run("SELECT name FROM buckets_config ORDER BY name COLLATE \"C\"");
  for (int i = 0; i < rows.count(); ++i) {
    Bucket bucket{rows.string(i, 0)};
    if (contains(options.skip, bucket.name) ||
        (!options.only.empty() && !contains(options.only, bucket.name)))
      continue;
    const Rows size = session.run(
        "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass($1::text)",
        {identifier(bucket.name)});
    if (size.count() == 0) continue;  // a bucket that is being deleted
    bucket.rows_about = std::stoull(size.string(0, 0));
    buckets.push_back(std::move(bucket));
  }
  return buckets;
}

/// Part of a bucket, in the order of its keys.
struct Page {
  std::uint64_t rows = 0;
  std::string last;
  std::vector<std::string> missing;  // keys without a vnode
};

/// By the primary key alone, so that a table with few such rows costs no long scan at once.
Page read_page(Session& session, const std::string& table, const std::optional<std::string>& after,
               std::uint64_t size) {
  const std::string from = after ? " WHERE _key > $1::text" : "";
  Parameters parameters;
  if (after) parameters.emplace_back(*after);
  const Rows rows = session.run(
      "SELECT count(*), max(_key), coalesce(json_agg(_key) FILTER (WHERE _vnode IS NULL), '[]') "
      "FROM (SELECT _key, _vnode FROM " +
          table + from + " ORDER BY _key LIMIT " + std::to_string(size) + ") p",
      parameters);
  Page page;
  page.rows = std::stoull(rows.string(0, 0));
  page.last = rows.text(0, 1);
  page.missing = nlohmann::json::parse(rows.text(0, 2)).get<std::vector<std::string>>();
  return page;
}

/// Only rows that still have none: a put in between knew better.
std::uint64_t set_vnodes(Session& session, const std::string& table, const nlohmann::json& keys,
                         const nlohmann::json& vnodes) {
  const Rows rows = session.run(
      "UPDATE " + table +
          " t SET _vnode = n.vnode FROM (SELECT json_array_elements_text($1::json) AS key, "
          "json_array_elements_text($2::json)::bigint AS vnode) n WHERE t._key = n.key AND "
          "t._vnode IS NULL",
      {keys.dump(), vnodes.dump()});
  return std::stoull(std::string(rows.affected()));
}

}  // namespace

BackfillCounts backfill_vnodes(Session& session, const ring::Ring& ring, const std::string& pnode,
                               const BackfillOptions& options, const BackfillPosition& from,
                               const BackfillTold& told) {
  session.run("SET enable_seqscan = off");
  const auto ours = ring.pnode_named(pnode);
  if (!ours) throw std::runtime_error("the ring has no pnode \"" + pnode + "\"");
  BackfillCounts counts;
  // Pages are bounded, so that a throttled one is not written at once and then waited for.
  const std::uint64_t page_size =
      options.rows_per_second == 0
          ? options.page
          : std::min(options.page, std::max<std::uint64_t>(1, options.rows_per_second / 4));
  Throttle throttle([&] { return options.rows_per_second; }, told.stopped);
  for (const Bucket& bucket : buckets_of(session, options)) {
    if (bucket.name < from.bucket) continue;
    const std::string table = identifier(bucket.name);
    std::optional<std::string> after;
    if (bucket.name == from.bucket) after = from.key;
    told.bucket(bucket.name, bucket.rows_about);
    for (;;) {
      const Page page = read_page(session, table, after, page_size);
      nlohmann::json keys = nlohmann::json::array(), vnodes = nlohmann::json::array();
      for (const std::string& key : page.missing) {
        const auto location = ring.locate(ring::transform_key(bucket.name, key));
        ++counts.missing;
        if (location && location->pnode == *ours) {
          keys.push_back(key);
          vnodes.push_back(number(location->vnode));
          continue;
        }
        ++counts.misplaced;
        if (location)
          told.misplaced(
              {bucket.name, key, ring.pnodes()[number(location->pnode)], number(location->vnode)});
      }
      std::uint64_t written = 0;
      if (!keys.empty() && !options.dry_run) written = set_vnodes(session, table, keys, vnodes);
      counts.looked_at += page.rows;
      counts.set += written;
      told.page(page.rows);
      if (page.rows > 0) told.position({bucket.name, page.last});
      if (page.rows < page_size) break;
      after = page.last;
      if (told.stopped() || !throttle.took(written)) return counts;
    }
    if (told.stopped()) return counts;
  }
  return counts;
}

}  // namespace reshard
