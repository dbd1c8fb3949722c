module dynamickeys

go 1.26.4
