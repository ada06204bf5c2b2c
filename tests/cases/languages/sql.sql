-- Holds cups.
CREATE TABLE shelf (
    id INTEGER PRIMARY KEY,
    name VARCHAR(20) DEFAULT 'cup'
);

CREATE INDEX shelf_name ON shelf (name);

CREATE VIEW full_shelf AS
SELECT id, name FROM shelf WHERE id > 3;

/* Pours one. */
CREATE FUNCTION pour(cup INTEGER) RETURNS INTEGER AS $$
    SELECT cup + 1;
$$ LANGUAGE sql;

SELECT s.name, count(*) FROM shelf AS s GROUP BY s.name;
